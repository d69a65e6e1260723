/** What a build is doing. In this order; `cache` and `share` only with a shared cache, `tools` and `checksum` only when asked for. */
export type Phase =
	| "open"
	| "cache"
	| "layers"
	| "contract"
	| "tools"
	| "squashfs"
	| "image"
	| "checksum"
	| "publish"
	| "share";

export type BuildEvent =
	| { readonly type: "phase"; readonly phase: Phase }
	/** Bytes of this phase done so far, out of `totalBytes` where that is known. At most ten a second. */
	| {
			readonly type: "progress";
			readonly phase: Phase;
			readonly doneBytes: number;
			readonly totalBytes?: number | undefined;
	  }
	/** Something the user should know that is no error: a fallback, a choice, a loss. */
	| { readonly type: "notice"; readonly text: string };

export type BuildListener = (event: BuildEvent) => void;
