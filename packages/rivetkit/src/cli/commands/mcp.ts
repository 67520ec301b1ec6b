import { command } from "../command.ts";
import { CommandFailed } from "../failure.ts";
import { Server } from "../server/server.ts";
import { TOOL_WORDS } from "../words.ts";

export const mcp = command({
	name: "mcp",
	summary: "Serves the same verbs to an agent, as an MCP server on standard input and output.",
	usage: "",
	arity: [0, 0],
	options: {
		"read-only": { type: "boolean", help: "offer nothing that changes an actor or writes a file" },
	},
	details: ["docs/cli.md says how an agent is told of it."],
	async run({ server, options, streams }) {
		const { serveMcp } = await loadServer();
		await serveMcp(new Server(server.settings, TOOL_WORDS), {
			readOnly: options["read-only"] ?? false,
			stdin: streams.stdin,
		});
	},
});

/** The SDK is an optional dependency, and nothing else needs it. */
async function loadServer(): Promise<typeof import("../mcp/serve.ts")> {
	try {
		return await import("../mcp/serve.ts");
	} catch (error) {
		const { code, message } = error as NodeJS.ErrnoException;
		if (code !== "ERR_MODULE_NOT_FOUND" || !message.includes("@modelcontextprotocol/")) throw error;
		throw new CommandFailed(
			"The package @modelcontextprotocol/server is not installed; install it: npm install @modelcontextprotocol/server.",
			{ cause: error },
		);
	}
}
