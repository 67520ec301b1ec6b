/** The published 2.1.3 package as a serverless host at PORT, which configures its pool at the engine by itself. */
import { createServer } from "node:http";
import { actor, setup } from "rivetkit-published";

const { PORT, POOL } = process.env;

const tally = actor({
	state: { total: 0 },
	actions: {
		bump: (c, by) => {
			c.state.total += by;
			return c.state.total;
		},
		nap: (c) => c.sleep(),
	},
});

const registry = setup({
	use: { tally },
	serverless: {
		configureRunnerPool: { name: POOL, url: `http://127.0.0.1:${PORT}/api/rivet`, maxRunners: 10 },
	},
});

const server = createServer(async (incoming, outgoing) => {
	const abort = new AbortController();
	outgoing.on("close", () => abort.abort());
	const response = await registry.handler(
		new Request(`http://127.0.0.1:${PORT}${incoming.url}`, {
			headers: incoming.headers,
			signal: abort.signal,
		}),
	);
	outgoing.writeHead(response.status, Object.fromEntries(response.headers));
	outgoing.flushHeaders();
	for await (const chunk of response.body ?? []) outgoing.write(chunk);
	outgoing.end();
});
// It begins with its first request.
server.listen(Number(PORT), "127.0.0.1", () =>
	fetch(`http://127.0.0.1:${PORT}/api/rivet/metadata`),
);
