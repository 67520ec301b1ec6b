import { parseArgs } from "node:util";
import { isOpenToAll, readConfig } from "./config.ts";
import { ConfigurationError } from "./configuration-error.ts";
import { runEngine } from "./run-engine.ts";

const HELP = `Usage: rivet-engine [start] [--config <file or directory>]... [--dev]
       rivet-engine config show [--config <file or directory>]... [--dev]

Runs an engine that places actors on runners. Settings come from files (JSON, JSON5, YAML) and from
the environment: guard.port is RIVET__GUARD__PORT. Later files win over earlier ones, the
environment over all.

  --config  a file, or a directory with files (default /etc/rivet, if it is there)
  --dev     short pauses and quick losses, for development
`;

/** Runs one command line. Resolves with the exit code; an engine runs until a signal. */
export async function runProgram(
	argv: readonly string[],
	process: NodeJS.Process,
): Promise<number> {
	try {
		return await run(argv, process);
	} catch (error) {
		const isUsage = (error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS") ?? false;
		const { message } = error as Error;
		process.stderr.write(`rivet-engine: ${message}\n${isUsage ? `\n${HELP}` : ""}`);
		return error instanceof ConfigurationError || isUsage ? 2 : 1;
	}
}

async function run(argv: readonly string[], process: NodeJS.Process): Promise<number> {
	const { values, positionals } = parseArgs({
		args: [...argv],
		allowPositionals: true,
		options: {
			config: { type: "string", multiple: true, default: [] },
			dev: { type: "boolean", default: false },
			help: { type: "boolean", default: false },
		},
	});
	const command = positionals.join(" ");
	if (values.help || !["", "start", "config show"].includes(command)) {
		(values.help ? process.stdout : process.stderr).write(HELP);
		return values.help ? 0 : 2;
	}
	const config = readConfig({ files: values.config, env: process.env, isDevelopment: values.dev });
	if (command === "config show") {
		const { given, ...rest } = config;
		const shown = { ...rest, token: rest.token && "(set)", pegboard: given.pegboard };
		process.stdout.write(`${JSON.stringify(shown, null, "\t")}\n`);
		return 0;
	}
	if (isOpenToAll(config)) {
		process.stderr.write(
			`rivet-engine: without auth.admin_token, everybody who reaches ${config.guard.host} can use this engine\n`,
		);
	}
	const stopping = nextSignal(process);
	const engine = await runEngine(config);
	process.stdout.write(`rivet-engine listens on ${engine.guard.url}\n`);
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
