/** Microsoft PE format, "Optional Header": PE32+'s magic number. */
export const PE32_PLUS = 0x20b;
/** Number of the data directory that says where the attribute certificates (signatures) are. */
export const CERTIFICATE_DIRECTORY = 4;
