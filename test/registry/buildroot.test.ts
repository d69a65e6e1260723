import { createServer } from "node:http";
import { expect, it } from "vitest";
import { openBuildroot } from "../../src/loaders/loaders-image.ts";
import { listen } from "../support/registry-loopback.ts";

it("gives --creds to the image's registry and to no other's buildroot", async () => {
	const seen: string[] = [];
	const server = createServer((request, response) => {
		if (request.headers.authorization !== undefined) seen.push(request.headers.authorization);
		response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
	});
	const { host, stop } = await listen(server);
	const platform = { os: "linux", architecture: "amd64" };
	const open = (image: string) =>
		openBuildroot(`docker://${host}/b`, { reference: image, platform }, { creds: "u:p", tlsVerify: false });
	try {
		await expect(open("docker://elsewhere.example/a")).rejects.toMatchObject({ exitStatus: 4 });
		expect(seen).toEqual([]);
		await expect(open(`docker://${host}/a`)).rejects.toMatchObject({ exitStatus: 4 });
		expect(new Set(seen)).toEqual(new Set([`Basic ${Buffer.from("u:p").toString("base64")}`]));
	} finally {
		await stop();
	}
});
