import { importActor as importFile } from "../actors.ts";
import { formatAddress, parseNameAndKey } from "../address.ts";
import { command } from "../command.ts";
import { readFile } from "../files.ts";
import { printable } from "../output/terminal.ts";

export const importActor = command({
	name: "actors import",
	summary:
		"Makes an actor of a file that `actors export` wrote. It sleeps until it is used, or its alarm.",
	usage: "FILE",
	arity: [1, 1],
	options: {
		as: { type: "string", value: "NAME/KEY", help: "another name and key than those in the file" },
		replace: {
			type: "boolean",
			help: "destroy the actor that has the name and key now; without it the import is refused",
		},
	},
	details: [
		"FILE may be - for the standard input. The new actor has an id of its own. A file that is cut off, damaged, of something else or of a newer version is refused before anything is changed.",
	],
	async run({ server, positionals, options, out, notes, streams }) {
		const as = options.as === undefined ? undefined : parseNameAndKey(options.as);
		const file = await readFile(positionals[0]!, streams);
		const imported = await importFile(server, file, { as, replace: options.replace ?? false });
		if (options.json) {
			out.line(JSON.stringify(imported, null, "  "));
			return;
		}
		const { actor, replaced } = imported;
		const instead = replaced === null ? "" : `, in place of ${replaced}`;
		notes.line(
			`${printable(formatAddress(actor.name, actor.key))} is imported as ${actor.id}${instead}.`,
		);
	},
});
