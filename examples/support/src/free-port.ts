import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/** Below the ports that systems hand out to connections and to servers that take any: Linux from 32768, others higher. */
const PORTS = [11_000, 32_000] as const;
const TRIES = 100;

/**
 * A port that nobody listens on. Nobody gets it by chance either, while the server that is to have it has not started yet
 * or is down between two starts.
 */
export async function freePort(): Promise<number> {
	for (let attempt = 0; attempt < TRIES; attempt++) {
		const port = randomInt(...PORTS);
		if (await isFree(port)) return port;
	}
	throw new Error(`${TRIES} ports from ${PORTS[0]} to ${PORTS[1]} are taken`);
}

async function isFree(port: number): Promise<boolean> {
	const probe = createServer();
	try {
		await once(probe.listen(port, "127.0.0.1"), "listening");
	} catch {
		return false;
	}
	probe.close();
	await once(probe, "close");
	return true;
}
