// `npm run bench`: see README.md beside this folder.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isInMemory, memoryFolder } from "./memory-folder.ts";
import { judge, medianOf, number, report, withoutPaths } from "./report.ts";
import { type Outcome, runScenario } from "./run.ts";
import { scenarios } from "./scenarios/index.ts";
import type { Scale } from "./scenarios/scenario.ts";
import { subjects } from "./subjects.ts";

const { values, positionals } = parseArgs({
	allowPositionals: true,
	options: {
		only: { type: "string", default: subjects.map(({ name }) => name).join(",") },
		rounds: { type: "string", default: "3" },
		seconds: { type: "string", default: "1" },
		actors: { type: "string", default: "10000" },
		folder: { type: "string", default: tmpdir() },
		smoke: { type: "boolean", default: false },
		profile: { type: "boolean", default: false },
		write: { type: "string" },
		help: { type: "boolean", default: false },
	},
});

if (values.help) {
	console.log(`npm run bench -- [options] [scenario, or part of the names of some ...]

  --only a,b       servers: ${subjects.map(({ name }) => name).join(", ")}
  --rounds 3       samples of every server, in turn
  --seconds 1      length of a sample
  --actors 10000   idle actors in the memory scenario (a fifth of it for the published package)
  --folder DIR     where the servers store; should be on a real disk (${tmpdir()})
  --profile        one more sample of ours, with a profile of its event loop by part
  --smoke          everything tiny: shows that it works, not how fast it is; fails when a server fails
  --write NAME     also write benchmarks/results/NAME.md

Scenarios: ${scenarios.map(({ name }) => name).join(", ")}`);
	process.exit(0);
}

const repository = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const results = join(repository, "benchmarks", "results");
if (values.write !== undefined && !/^[\w.-]+$/.test(values.write)) {
	throw new Error(`--write takes a file name without folders, got ${values.write}`);
}
const loadBefore = loadavg()[0]!.toFixed(2);

const actors = Number(values.actors);
const scale: Scale = values.smoke
	? { sampleMs: 150, warmUpMs: 50, rounds: 1, idleActors: { published: 50, others: 200 } }
	: {
			sampleMs: Number(values.seconds) * 1_000,
			warmUpMs: Number(values.seconds) * 1_000,
			rounds: Number(values.rounds),
			idleActors: { published: Math.ceil(actors / 5), others: actors },
		};
const names = values.only.split(",");
const unknown = names.filter((name) => !subjects.some((subject) => subject.name === name));
if (unknown.length > 0) throw new Error(`no such server: ${unknown.join(", ")}`);
const chosenSubjects = subjects.filter(({ name }) => names.includes(name));
const chosenScenarios = scenarios.filter(
	({ name }) =>
		positionals.length === 0 ||
		positionals.some((asked) =>
			// workflow-100 is part of workflow-1000, too.
			scenarios.some((one) => one.name === asked) ? name === asked : name.includes(asked),
		),
);
if (chosenScenarios.length === 0) throw new Error(`no scenario matches ${positionals.join(" ")}`);

mkdirSync(resolve(values.folder), { recursive: true });
const folder = mkdtempSync(join(resolve(values.folder), "rivetkit-bench-"));
const memory = memoryFolder();
const memoryStorage = memory && mkdtempSync(join(memory, "rivetkit-bench-"));
const outcomes: Outcome[] = [];
if (isInMemory(folder)) console.error(`${folder} is in memory: syncs cost nothing there`);
try {
	for (const scenario of chosenScenarios) {
		const storage = scenario.storage === "memory" ? memoryStorage : folder;
		if (storage === undefined) {
			console.error(`${scenario.name}: left out, there is no memory file system here`);
			continue;
		}
		const able = chosenSubjects.filter(
			({ name }) => scenario.subjects?.includes(name) ?? name !== "store",
		);
		if (able.length === 0) continue;
		const outcome = await runScenario(scenario, able, scale, storage, values.profile);
		outcomes.push(outcome);
		const figures = able.map(({ name }) => {
			const value = medianOf(outcome, name);
			return `${name} ${value === undefined ? "failed" : number(value)}`;
		});
		console.error(`${scenario.name}: ${figures.join(", ")} ${scenario.unit}`);
	}
} finally {
	for (const used of [folder, memoryStorage]) {
		if (used !== undefined) rmSync(used, { recursive: true, force: true });
	}
}

const settings = values.smoke
	? "smoke run: no measurement"
	: `${scale.rounds} rounds of ${values.seconds} s`;
const text = report(outcomes, `${settings}, load average before it ${loadBefore}`);
console.log(text);
if (values.write !== undefined) {
	const date = new Date().toISOString().slice(0, 10);
	const body = withoutPaths(
		text,
		new Map([
			[folder, "FOLDER"],
			...(memoryStorage === undefined ? [] : [[memoryStorage, "MEMORY"] as const]),
			[repository, "."],
		]),
	);
	mkdirSync(results, { recursive: true });
	writeFileSync(
		join(results, `${values.write}.md`),
		`# Benchmarks: ${values.write}\n\n${date}. How to read it: [README](README.md).\n\n${body}\n`,
	);
}

const failed = outcomes.reduce((sum, { failures }) => sum + failures.size, 0);
const verdicts = outcomes.flatMap(judge).filter(({ isMet }) => isMet !== undefined);
if (values.smoke) {
	const passed = outcomes.reduce((sum, { samples }) => sum + samples.size, 0);
	console.log(`${passed} passed, ${failed} failed`);
} else {
	console.log(
		`\n${verdicts.filter(({ isMet }) => isMet).length} of ${verdicts.length} targets reached`,
	);
}
if (failed > 0) process.exitCode = 1;
