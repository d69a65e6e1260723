import type { Server as HttpServer } from "node:http";
import type { Server, Socket } from "node:net";

export interface LoopbackServer {
	/** `127.0.0.1:PORT`. */
	readonly host: string;
	stop(): Promise<void>;
}

/** Lets a server listen on a free port of the loopback interface; `stop` breaks all its connections. */
export async function listen(server: Server | HttpServer): Promise<LoopbackServer> {
	const sockets = new Set<Socket>();
	server.on("connection", (socket: Socket) => {
		sockets.add(socket);
		socket.on("error", () => {});
		socket.on("close", () => sockets.delete(socket));
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const address = server.address();
	if (address === null || typeof address === "string") throw new Error("no port");
	return {
		host: `127.0.0.1:${address.port}`,
		async stop() {
			const closed = new Promise((resolve) => server.close(resolve));
			for (const socket of sockets) socket.destroy();
			await closed;
		},
	};
}
