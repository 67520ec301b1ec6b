import { createInterface } from "node:readline/promises";
import { destroyActor, findActor } from "../actors.ts";
import { ADDRESS_HELP, formatAddress, parseAddress } from "../address.ts";
import { command } from "../command.ts";
import { CommandFailed, UsageError } from "../failure.ts";
import { printable, type Streams } from "../output/terminal.ts";

export const destroy = command({
	name: "actors destroy",
	summary: "Destroys an actor with all its data.",
	usage: "ACTOR",
	arity: [1, 1],
	options: {
		yes: { type: "boolean", short: "y", help: "do not ask; needed where nobody can be asked" },
	},
	details: [ADDRESS_HELP],
	async run({ server, positionals, options, out, notes, streams }) {
		const address = parseAddress(positionals[0]!);
		const { stdin, stderr } = streams;
		const canAsk = stdin.isTTY === true && stderr.isTTY === true;
		if (!options.yes && !canAsk) {
			throw new UsageError("Nobody can be asked here whether you are sure; say so with --yes.");
		}
		const actor = await findActor(server, address);
		const shown = formatAddress(actor.name, actor.key);
		if (!options.yes && !(await isSure(printable(shown), streams))) {
			throw new CommandFailed("Nothing was destroyed.");
		}
		await destroyActor(server, actor.id);
		if (options.json) out.line(JSON.stringify({ destroyed: actor.id }));
		else notes.line(`${printable(shown)} (${actor.id}) is destroyed.`);
	},
});

async function isSure(shown: string, { stdin, stderr }: Streams): Promise<boolean> {
	const asking = createInterface({ input: stdin, output: stderr });
	try {
		const answer = await asking.question(`Destroy ${shown} with all its data? [y/N] `);
		return /^y(es)?$/i.test(answer.trim());
	} finally {
		asking.close();
	}
}
