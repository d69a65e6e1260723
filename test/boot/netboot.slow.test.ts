import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildIso } from "../../src/index.ts";
import { debianFixture, FIXTURE_NEEDS } from "../support/fixture.ts";
import { bootFromNetwork, bootRequirements } from "../support/qemu.ts";
import { requires } from "../support/requires.ts";
import { isSlowWanted } from "../support/slow.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const missing = bootRequirements() ?? requires(...FIXTURE_NEEDS);

/** A web server of a directory on loopback, and what was asked of it. */
async function withServer<Result>(directory: string, work: (port: number, asked: string[]) => Promise<Result>) {
	const asked: string[] = [];
	const server = createServer((request, response) => {
		const path = join(directory, new URL(request.url ?? "/", "http://x").pathname);
		asked.push(request.url ?? "");
		try {
			response.setHeader("content-length", statSync(path).size);
			if (request.method === "HEAD") response.end();
			else createReadStream(path).pipe(response);
		} catch {
			response.writeHead(404).end();
		}
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	try {
		return await work((server.address() as AddressInfo).port, asked);
	} finally {
		server.closeAllConnections();
		server.close();
	}
}

describe.skipIf(missing !== undefined || !isSlowWanted("boots from the network"))(
	"a set of files for network boot",
	() => {
		const work = temporaryDirectory("netboot");

		it.each([
			["BIOS and iPXE", "boot.ipxe", "no-uefi"],
			["UEFI with Secure Boot", "EFI/BOOT/BOOTX64.EFI", "1"],
		] as const)("boots to the marker: %s", async (path, bootFile, secureBoot) => {
			const set = join(work, path.replaceAll(" ", "-"));
			await withServer(set, async (port, asked) => {
				await buildIso({
					image: `oci:${await debianFixture("netboot")}:latest`,
					output: `pxe:${set}`,
					pxeBaseUrl: `http://10.0.2.2:${port}/`,
					level: 3,
				});
				const log = await bootFromNetwork(set, bootFile, path);
				expect(log).toContain(`OCI2ISO-SECURE-BOOT ${secureBoot}`);
				expect(asked).toContain("/rootfs.img");
			});
		});
	},
);
