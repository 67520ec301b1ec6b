import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Example, extractBlocks, groupExamples } from "./extract-examples.ts";

const seed = dirname(dirname(fileURLToPath(import.meta.url)));

/** The guide that users and code generators get; its examples are promises. */
export const GUIDE: string = join(seed, "../../docs/SKILL.md");

/** Pages of our own, with examples that hold like the guide's. */
export const SCHEDULES_PAGE: string = join(seed, "../../docs/schedules.md");
export const KV_PAGE: string = join(seed, "../../docs/kv.md");
export const STREAMING_PAGE: string = join(seed, "../../docs/streaming.md");
export const QUEUES_PAGE: string = join(seed, "../../docs/queues.md");
export const DATABASE_PAGE: string = join(seed, "../../docs/database.md");
export const WORKFLOWS_PAGE: string = join(seed, "../../docs/workflows.md");

export async function readExamples(page = GUIDE): Promise<Example[]> {
	return groupExamples(extractBlocks(await readFile(page, "utf8")));
}

/** The examples as folders of one folder inside the repository, where packages resolve as for users. */
export interface ExamplesFolder extends AsyncDisposable {
	readonly path: string;
	readonly examples: readonly Example[];
}

export async function writeExamples(examples: readonly Example[]): Promise<ExamplesFolder> {
	const path = await mkdtemp(join(seed, ".examples-"));
	for (const example of examples) {
		await mkdir(join(path, example.id));
		for (const { file, code } of [...example.borrowed, ...example.blocks]) {
			await writeFile(join(path, example.id, file), code);
		}
	}
	return {
		path,
		examples,
		[Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
	};
}
