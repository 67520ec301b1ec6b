import { resolve } from "node:path";
import { findActor } from "../actors.ts";
import { ADDRESS_HELP, formatAddress, parseAddress } from "../address.ts";
import { command } from "../command.ts";
import { CommandFailed } from "../failure.ts";
import { brokenExport, defaultFile, writeFile } from "../files.ts";
import { printable, type Terminal } from "../output/terminal.ts";

export const exportActor = command({
	name: "actors export",
	summary: "Writes an actor with all its data to a file. Wakes nobody; goes by the last commit.",
	usage: "ACTOR",
	arity: [1, 1],
	options: {
		output: {
			type: "string",
			short: "o",
			value: "FILE",
			help: "where to; - for the standard output. Default: NAME-KEY.rivetactor in this folder",
		},
		force: { type: "boolean", help: "write over a file that is there" },
	},
	details: [
		ADDRESS_HELP,
		"The file has state, key/value data, queue, schedules, workflow history and database, and is checked by a checksum when it is imported. Not in it: connections of clients, and the actor's inspector token. Keep it as secret as the data.",
	],
	async run({ server, positionals, options, out, notes }) {
		const actor = await findActor(server, parseAddress(positionals[0]!));
		const shown = printable(formatAddress(actor.name, actor.key));
		const output = options.output ?? defaultFile(actor);
		if (output === "-" && out.isTerminal) {
			throw new CommandFailed("The file is binary; --output FILE keeps it off the terminal.");
		}
		const file = await server.exportActor(actor.id);
		if (output === "-") {
			await toOutput(file, out);
			return;
		}
		const bytes = await writeFile(file, output, {
			force: options.force ?? false,
			whenThere: "; --force writes over it",
		});
		if (options.json) out.line(JSON.stringify({ actor, file: resolve(output), bytes }, null, "  "));
		else notes.line(`${shown} is exported to ${printable(output)} (${bytes} bytes).`);
	},
});

async function toOutput(file: ReadableStream<Uint8Array>, out: Terminal): Promise<void> {
	try {
		for await (const chunk of file) await out.bytes(chunk);
	} catch (error) {
		throw brokenExport(error);
	}
}
