import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

interface Message {
	readonly id?: number;
	readonly method?: string;
	readonly params?: Readonly<Record<string, unknown>>;
	readonly result?: Readonly<Record<string, unknown>>;
	readonly error?: { readonly message: string };
}

type Parameters = Readonly<Record<string, unknown>>;

/** A page that is open in a browser of its own. */
export interface OpenPage {
	/** What was asked for beside the page itself, printed to the console, thrown, or asked of the user. */
	readonly events: readonly string[];
	/** The value of an expression, as JSON. */
	evaluate<Value>(expression: string): Promise<Value>;
	/** A command of the Chrome DevTools Protocol. */
	send(method: string, parameters?: Parameters): Promise<Readonly<Record<string, unknown>>>;
	close(): Promise<void>;
}

const EVENTS: Readonly<Record<string, (parameters: Parameters) => string | undefined>> = {
	"Runtime.consoleAPICalled": (parameters) => `console: ${JSON.stringify(parameters["args"])}`,
	"Runtime.exceptionThrown": (parameters) => `exception: ${JSON.stringify(parameters["exceptionDetails"])}`,
	"Log.entryAdded": (parameters) => `log: ${JSON.stringify(parameters["entry"])}`,
	"Page.javascriptDialogOpening": (parameters) => `dialog: ${JSON.stringify(parameters)}`,
	"Network.requestWillBeSent": ({ request }) => `request: ${(request as { url: string }).url}`,
};

/** Opens a file in Debian's chromium, which is spoken to through pipes. */
export async function openInBrowser(url: string): Promise<OpenPage> {
	const profile = mkdtempSync(join(tmpdir(), "oci2iso-browser-"));
	const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe"];
	const child = spawn("chromium", [...flags, `--user-data-dir=${profile}`, "about:blank"], {
		stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
		// a process group of its own
		detached: true,
	});
	const [, , , input, output] = child.stdio as unknown as [null, null, null, Writable, Readable];
	const waiting = new Map<number, (message: Message) => void>();
	const events: string[] = [];
	let loaded: (() => void) | undefined;
	let rest = "";
	output.setEncoding("utf8").on("data", (text: string) => {
		const parts = (rest + text).split("\0");
		rest = parts.pop() ?? "";
		for (const part of parts) {
			const { id, method = "", params = {}, ...outcome } = JSON.parse(part) as Message;
			if (id !== undefined) waiting.get(id)?.({ id, ...outcome });
			if (method === "Page.loadEventFired") loaded?.();
			const told = EVENTS[method]?.(params);
			if (told !== undefined && told !== `request: ${url}`) events.push(told);
		}
	});
	const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
	let session: string | undefined;
	let last = 0;
	const send: OpenPage["send"] = async (method, params = {}) => {
		const id = ++last;
		const answer = new Promise<Message>((resolve, reject) => {
			waiting.set(id, resolve);
			ended.then(() => reject(new Error(`chromium ended before ${method}`)));
		});
		input.write(`${JSON.stringify({ id, method, params, ...(session !== undefined && { sessionId: session }) })}\0`);
		const { error, result = {} } = await answer;
		if (error !== undefined) throw new Error(`${method}: ${error.message}`);
		return result;
	};
	const close = async (): Promise<void> => {
		// its helpers go on writing into the profile for a moment
		if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
		await ended;
		rmSync(profile, { recursive: true, force: true, maxRetries: 30, retryDelay: 20 });
	};
	try {
		const { targetId } = await send("Target.createTarget", { url: "about:blank" });
		session = (await send("Target.attachToTarget", { targetId, flatten: true }))["sessionId"] as string;
		for (const domain of ["Page", "Runtime", "Log", "Network"]) await send(`${domain}.enable`);
		const load = new Promise<void>((resolve) => (loaded = resolve));
		await send("Page.navigate", { url });
		await load;
	} catch (error) {
		await close();
		throw error;
	}
	return {
		events,
		send,
		close,
		async evaluate<Value>(expression: string) {
			const { result, exceptionDetails } = await send("Runtime.evaluate", { expression, returnByValue: true });
			if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
			return (result as { value: Value }).value;
		},
	};
}
