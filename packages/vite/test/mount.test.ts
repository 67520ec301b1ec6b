import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { Duplex } from "node:stream";
import { expect, it, onTestFinished } from "vitest";
import type { Actors } from "../src/actors.ts";
import { mountOf } from "../src/mount.ts";

it("goes on when a page breaks its socket off while the actors are loaded", async () => {
	let loaded!: () => void;
	const loading = new Promise<void>((resolve) => {
		loaded = resolve;
	});
	const actors = { current: () => loading } as unknown as Actors;
	const { onUpgrade } = mountOf(actors, { basePath: "/api/rivet", takesUpgrades: true });
	const server = createServer();
	onTestFinished(() => void server.close());
	const taken = new Promise<Duplex>((resolve) => {
		server.on("upgrade", (request, socket, head) => {
			onUpgrade(request, socket, head);
			resolve(socket);
		});
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const page = connect((server.address() as AddressInfo).port, "127.0.0.1");
	page.write(
		"GET /api/rivet/connect HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
	);
	const socket = await taken;
	page.resetAndDestroy();
	// Without a listener for it, this error would have ended the process.
	await expect.poll(() => socket.errored).toMatchObject({ code: "ECONNRESET" });
	loaded();
	await expect.poll(() => socket.destroyed).toBe(true);
});

it.each([true, false])("says whether it is given upgrades: %s", async (takesUpgrades) => {
	const asked: unknown[] = [];
	const nodeListeners = (options: unknown) => {
		asked.push(options);
		return { onRequest: () => true };
	};
	const actors = { current: async () => ({ nodeListeners }) } as unknown as Actors;
	const { onRequest } = mountOf(actors, { basePath: "/api/rivet", takesUpgrades });
	const request = { url: "/api/rivet/metadata" } as IncomingMessage;
	onRequest(request, {} as ServerResponse, (error) => asked.push(error));
	await expect.poll(() => asked).toEqual([{ basePath: "/api/rivet", takesUpgrades }]);
});
