import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { expect } from "vitest";
import { CLI } from "./run-cli.ts";

/** `rivetkit mcp` as a process, with the SDK's client at the other end of its pipes. */
export async function connectMcp(
	args: readonly string[],
	{ endpoint, cwd }: { readonly endpoint: string; readonly cwd?: string },
) {
	const client = new Client({ name: "test", version: "0.0.0" });
	const { PATH = "", NODE_COMPILE_CACHE = "" } = process.env;
	await client.connect(
		new StdioClientTransport({
			command: process.execPath,
			args: [...CLI, "mcp", ...args],
			env: { PATH, NODE_COMPILE_CACHE, RIVET_ENDPOINT: endpoint },
			...(cwd === undefined ? {} : { cwd }),
		}),
	);
	return {
		client,
		/** The structured result of a tool. */
		async use(name: string, input: Record<string, unknown>) {
			const result = await client.callTool({ name, arguments: input });
			expect(result.isError, JSON.stringify(result.content)).not.toBe(true);
			return result.structuredContent as Record<string, unknown>;
		},
		/** What a tool is refused with. */
		async refusal(name: string, input: Record<string, unknown>) {
			const { isError, content } = await client.callTool({ name, arguments: input });
			expect(isError).toBe(true);
			const [first] = content as { text: string }[];
			return first?.text;
		},
		[Symbol.asyncDispose]: () => client.close(),
	};
}
