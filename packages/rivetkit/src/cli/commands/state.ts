import { readState, replaceState } from "../actors.ts";
import { ADDRESS_HELP, parseAddress } from "../address.ts";
import { command } from "../command.ts";
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
	},
	details: [
		ADDRESS_HELP,
		EXACT_JSON_HELP,
		`What is printed can be edited and set again:

  rivetkit actors state ACTOR > state.json
  rivetkit actors state ACTOR --set @state.json`,
	],
	async run({ server, positionals, options, out, notes, streams }) {
		const address = parseAddress(positionals[0]!);
		if (options.set === undefined) {
			out.line(toExactJson((await readState(server, address)).state, "  "));
			return;
		}
		const state = await jsonSource(options.set, "--set", streams);
		await replaceState(server, address, { state });
		if (options.json) out.line('{ "ok": true }');
		else notes.line("The state is replaced.");
	},
});
