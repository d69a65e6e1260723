import { readFile } from "node:fs/promises";

/** A variable of UEFI firmware (UEFI 8.2): its vendor's GUID, its attributes, its content. */
interface FirmwareVariable {
	readonly name: string;
	readonly vendor: string;
	readonly attributes: number;
	readonly data: Buffer;
}

const IMAGE_SECURITY_DATABASE = "d719b2cb-3d3a-4596-a3bc-dad00e67656f";
const CERT_X509 = "a5c059a1-94e4-4aa7-87b5-ab155c2bf072";
const SYSTEMD_BOOT = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
const NON_VOLATILE_BOOT_RUNTIME = 7;

/** Of a volume of variables as EDK II keeps it with authentication: the head of the volume, then of the store, then variables. */
const STORE_HEAD_BYTES = 28;
const HEAD_BYTES = 60;
const START = 0x55aa;
const ADDED = 0x3f;
const DELETED = 0x3d;

/** The firmware's variables of `file` with this certificate (DER) as one more in its database of those that may sign what it starts. */
export async function withTrusted(file: string, certificate: Buffer): Promise<Buffer> {
	const store = await readFile(file);
	const old = variablesIn(store).find(({ name }) => name === "db");
	if (old === undefined) throw new Error(`${file} has no db`);
	const list = Buffer.alloc(44);
	guid(CERT_X509).copy(list);
	list.writeUInt32LE(list.byteLength + certificate.byteLength, 16);
	list.writeUInt32LE(16 + certificate.byteLength, 24);
	guid(IMAGE_SECURITY_DATABASE).copy(list, 28);
	const data = Buffer.concat([old.data, list, certificate]);
	return withVariable(store, { name: "db", vendor: IMAGE_SECURITY_DATABASE, attributes: old.attributes, data });
}

/** The variables with systemd-boot's choice of an entry, as `bootctl set-default` makes it. */
export function withDefaultEntry(store: Buffer, entry: string): Buffer {
	const data = Buffer.from(`${entry}\0`, "utf16le");
	return withVariable(store, {
		name: "LoaderEntryDefault",
		vendor: SYSTEMD_BOOT,
		attributes: NON_VOLATILE_BOOT_RUNTIME,
		data,
	});
}

function withVariable(store: Buffer, { name, vendor, attributes, data }: FirmwareVariable): Buffer {
	const bytes = Buffer.from(store);
	const variables = variablesIn(store);
	const old = variables.find((each) => each.name === name);
	const last = variables.at(-1);
	if (last === undefined) throw new Error("the store has no variables");
	const head = Buffer.alloc(HEAD_BYTES);
	// An authenticated variable has the time of its last change.
	if (old !== undefined) store.copy(head, 0, old.offset, old.offset + HEAD_BYTES);
	head.writeUInt16LE(START, 0);
	head.writeUInt8(ADDED, 2);
	head.writeUInt32LE(attributes, 4);
	const text = Buffer.from(`${name}\0`, "utf16le");
	head.writeUInt32LE(text.byteLength, 36);
	head.writeUInt32LE(data.byteLength, 40);
	guid(vendor).copy(head, 44);
	if (old !== undefined) bytes.writeUInt8(DELETED, old.offset + 2);
	Buffer.concat([head, text, data]).copy(bytes, last.end);
	return bytes;
}

/** Those that count, in the order of the store; the last may be one that was deleted. */
function variablesIn(store: Buffer): { name: string; attributes: number; data: Buffer; offset: number; end: number }[] {
	const found: ReturnType<typeof variablesIn> = [];
	let at = store.readUInt16LE(0x30) + STORE_HEAD_BYTES;
	while (store.readUInt16LE(at) === START) {
		const nameEnd = at + HEAD_BYTES + store.readUInt32LE(at + 36);
		const end = nameEnd + store.readUInt32LE(at + 40);
		const isAdded = store.readUInt8(at + 2) === ADDED;
		found.push({
			name: isAdded ? store.toString("utf16le", at + HEAD_BYTES, nameEnd - 2) : "",
			attributes: store.readUInt32LE(at + 4),
			data: store.subarray(nameEnd, end),
			offset: at,
			end: (end + 3) & ~3,
		});
		at = (end + 3) & ~3;
	}
	return found;
}

/** As UEFI stores it: the first three fields little-endian. */
function guid(text: string): Buffer {
	const bytes = Buffer.from(text.replaceAll("-", ""), "hex");
	bytes.subarray(0, 4).reverse();
	bytes.subarray(4, 6).reverse();
	bytes.subarray(6, 8).reverse();
	return bytes;
}
