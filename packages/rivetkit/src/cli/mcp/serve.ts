import { McpServer } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { VERSION } from "../../utils/version.ts";
import { besides, CommandFailed, sentenceOf } from "../failure.ts";
import type { Server } from "../server/server.ts";
import { TOOLS, type Tool } from "./tools.ts";

export interface McpOptions {
	/** Offers only tools that change nothing. */
	readonly readOnly: boolean;
	readonly stdin: NodeJS.ReadStream;
}

const INSTRUCTIONS = `Looks into the actors of a RivetKit server, and changes them. An actor is addressed as NAME/KEY (a key of
several parts as NAME/PART/PART, the empty key as NAME/), or by its id. Begin with list_actors and get_actor. Values are JSON; what JSON has
no form for is a pair with a tag, such as ["$BigInt","5"] or ["$Date","2026-01-31T12:00:00.000Z"].`;

/** Serves until the client closes the standard input. */
export async function serveMcp(server: Server, { readOnly, stdin }: McpOptions): Promise<void> {
	const closed = new Promise<void>((resolve) => {
		stdin.once("end", resolve);
		stdin.once("close", resolve);
	});
	const handle = serveStdio(() => mcpServer(server, readOnly));
	await closed;
	await handle.close();
}

function mcpServer(server: Server, readOnly: boolean): McpServer {
	const mcp = new McpServer(
		{ name: "rivetkit", version: VERSION },
		{ capabilities: { tools: {} }, instructions: INSTRUCTIONS },
	);
	for (const tool of TOOLS) {
		if (!readOnly || tool.annotations.readOnlyHint) register(mcp, tool, server);
	}
	return mcp;
}

function register(mcp: McpServer, tool: Tool, server: Server): void {
	const { name, title, description, input, output, annotations } = tool;
	const config = { title, description, inputSchema: input, outputSchema: output, annotations };
	mcp.registerTool(name, config, async (given, { mcpReq }) => {
		try {
			const result = await tool.run(server, given, mcpReq.signal);
			return {
				content: [{ type: "text", text: JSON.stringify(result) }],
				structuredContent: result,
			};
		} catch (error) {
			if (!(error instanceof CommandFailed)) throw error;
			const { group, code } = error;
			const name = group === undefined ? "" : ` (${group}.${code})`;
			const more = besides(error);
			const text = `${sentenceOf(error)}${name}${more === undefined ? "" : ` ${more}`}`;
			return { content: [{ type: "text", text }], isError: true };
		}
	});
}
