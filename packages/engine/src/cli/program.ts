import { parseArgs } from "node:util";
import { isOpenToAll, readConfig } from "./config.ts";
import { UsageError } from "./configuration-error.ts";
import { nukeDatabase } from "./nuke-database.ts";
import { inOwnWords } from "./own-words.ts";
import { bootstrap, runEngine } from "./run-engine.ts";
import { chooseServices, endsByItself } from "./services.ts";

const HELP = `Usage: rivet-engine [start] [-s <service>]... [--except-services <service>]... [--config ...]... [--dev]
       rivet-engine config show [--config <file or directory>]... [--dev]
       rivet-engine database nuke --yes [--config <file or directory>]...

Runs an engine that places actors on runners. Settings come from files (JSON, JSON5, YAML) and from
the environment: guard.port is RIVET__GUARD__PORT. Later files win over earlier ones, the
environment over all.

database nuke deletes everything that engines of this configuration have stored; none of them may run.

  --config           a file, or a directory with files (default /etc/rivet, if it is there)
  --dev              short pauses and quick losses, for development
  -s, --services     only these: guard, api_peer, metrics, bootstrap; repeatable, or with commas. bootstrap
                     alone makes the store ready and ends
  --except-services  all but these
  --yes              yes, delete it
`;

const COMMANDS: readonly string[] = ["", "start", "config show", "database nuke"];

/**
 * Runs one command line. Resolves with the exit code: 0, 2 for a command line that cannot be used, else 1. An engine runs
 * until a signal.
 */
export async function runProgram(
	argv: readonly string[],
	process: NodeJS.Process,
): Promise<number> {
	try {
		return await run(argv, process);
	} catch (error) {
		const isUsage = (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS") ?? false;
		const { message } = error as Error;
		process.stderr.write(`rivet-engine: ${inOwnWords(message)}\n${isUsage ? `\n${HELP}` : ""}`);
		return error instanceof UsageError || isUsage ? 2 : 1;
	}
}

async function run(argv: readonly string[], process: NodeJS.Process): Promise<number> {
	const { values, positionals } = parseArgs({
		args: [...argv],
		allowPositionals: true,
		options: {
			config: { type: "string", multiple: true, default: [] },
			dev: { type: "boolean", default: false },
			services: { type: "string", multiple: true, short: "s", default: [] },
			"except-services": { type: "string", multiple: true, default: [] },
			yes: { type: "boolean", default: false },
			help: { type: "boolean", default: false },
		},
	});
	const command = positionals.join(" ");
	if (values.help || !COMMANDS.includes(command)) {
		(values.help ? process.stdout : process.stderr).write(HELP);
		return values.help ? 0 : 2;
	}
	const config = readConfig({ files: values.config, env: process.env, isDevelopment: values.dev });
	for (const warning of config.warnings) process.stderr.write(`rivet-engine: ${warning}\n`);
	if (command === "config show") {
		const { given, warnings: _told, ...rest } = config;
		const shown = { ...rest, token: rest.token && "(set)", pegboard: given.pegboard };
		process.stdout.write(`${JSON.stringify(shown, null, "\t")}\n`);
		return 0;
	}
	if (command === "database nuke") {
		const where = config.given.postgres ? "the PostgreSQL" : config.directory;
		if (!values.yes) {
			process.stderr.write(`rivet-engine: this deletes all actors in ${where}; say --yes\n`);
			return 2;
		}
		await nukeDatabase(config);
		process.stdout.write(`rivet-engine has deleted what engines had stored in ${where}\n`);
		return 0;
	}
	const services = chooseServices({
		only: values.services.flatMap(listed),
		except: values["except-services"].flatMap(listed),
	});
	if (endsByItself(services)) {
		await bootstrap(config);
		process.stdout.write("rivet-engine: the store is ready\n");
		return 0;
	}
	if (services.has("guard") && isOpenToAll(config)) {
		process.stderr.write(
			`rivet-engine: without auth.admin_token, everybody who reaches ${config.guard.host} can use this engine\n`,
		);
	}
	const stopping = nextSignal(process);
	const engine = await runEngine(config, services);
	const { guard } = engine;
	process.stdout.write(
		guard ? `rivet-engine listens on ${guard.url}\n` : "rivet-engine runs without guard\n",
	);
	await stopping;
	const overdue = setTimeout(() => {
		process.stderr.write(
			"rivet-engine: the stop takes too long (runtime.force_shutdown_duration)\n",
		);
		process.exit(1);
	}, config.forceShutdownMs);
	await engine.close();
	clearTimeout(overdue);
	return 0;
}

function listed(names: string): string[] {
	return names.split(",").flatMap((name) => name.trim() || []);
}

/** Resolves at the first signal; a second one ends the process at once. */
function nextSignal(process: NodeJS.Process): Promise<void> {
	return new Promise((resolve) => {
		let count = 0;
		const onSignal = () => {
			if (++count > 1) process.exit(1);
			resolve();
		};
		process.on("SIGTERM", onSignal);
		process.on("SIGINT", onSignal);
	});
}
