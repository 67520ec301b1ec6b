import { readState, replaceState } from "../actors.ts";
import { ADDRESS_HELP, parseAddress } from "../address.ts";
import { command } from "../command.ts";
import { UsageError } from "../failure.ts";
import { EXACT_JSON_HELP, toExactJson } from "../output/exact-json.ts";
import { jsonSource } from "./read-value.ts";

export const state = command({
	name: "actors state",
	summary: "Prints an actor's state, or replaces it.",
	usage: "ACTOR",
	arity: [1, 1],
	options: {
		set: {
			type: "string",
			value: "JSON",
			help: "replaces the whole state, waking the actor if it sleeps; - takes it from the standard input, @FILE from a file",
		},
		"if-match": {
			type: "string",
			value: "ETAG",
			help: "with --set: replaces nothing when the state is not the one that --etag has told of",
		},
		etag: {
			type: "boolean",
			help: "tells which version of the state this is, on the standard error; with --json prints both as one object",
		},
	},
	details: [
		ADDRESS_HELP,
		EXACT_JSON_HELP,
		`What is printed can be edited and set again, unless the actor or somebody else has changed it meanwhile:

  rivetkit actors state ACTOR --etag > state.json
  rivetkit actors state ACTOR --set @state.json --if-match=ETAG

Without --if-match whatever is there is replaced.`,
	],
	async run({ server, positionals, options, out, notes, streams }) {
		const address = parseAddress(positionals[0]!);
		const ifMatch = options["if-match"];
		if (options.set === undefined) {
			if (ifMatch !== undefined) throw new UsageError("--if-match goes with --set.");
			const { state, etag } = await readState(server, address);
			const isOneObject = options.etag === true && options.json === true;
			out.line(toExactJson(isOneObject ? { etag, state } : state, "  "));
			if (options.etag && !isOneObject) notes.line(etag === null ? NO_ETAG : `etag: ${etag}`);
			return;
		}
		if (options.etag) throw new UsageError("--etag goes without --set.");
		const etag = ifMatch === undefined ? undefined : entityTag(ifMatch);
		const state = await jsonSource(options.set, "--set", streams);
		await replaceState(server, address, { state, etag });
		if (options.json) out.line('{ "ok": true }');
		else notes.line("The state is replaced.");
	},
});

const NO_ETAG = "The server does not tell which version this is.";

/** As it was told, with its quotes or, where a shell took them away, without. Throws a {@link UsageError}. */
function entityTag(text: string): string {
	const tag = /^"?([\x21\x23-\x7e]+)"?$/.exec(text)?.[1];
	if (tag === undefined) {
		throw new UsageError(`--if-match must be what --etag has told of, got '${text}'.`);
	}
	return `"${tag}"`;
}
