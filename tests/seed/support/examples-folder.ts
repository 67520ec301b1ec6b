import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Example, extractBlocks, groupExamples } from "./extract-examples.ts";

const seed = dirname(dirname(fileURLToPath(import.meta.url)));

/** The guide that users and code generators get; its examples are promises. */
export const GUIDE: string = join(seed, "../../docs/SKILL.md");

/** Pages of our own, with examples that hold like the guide's. */
export const PAGES = ["database", "kv", "queues", "schedules", "streaming", "workflows"] as const;

export async function readExamples(): Promise<Example[]> {
	return groupExamples(extractBlocks(await readFile(GUIDE, "utf8")));
}

/** The examples of a page, with its name in theirs: those of several pages fit into one folder. */
export async function readPage(page: (typeof PAGES)[number]): Promise<Example[]> {
	const text = await readFile(join(seed, `../../docs/${page}.md`), "utf8");
	return groupExamples(extractBlocks(text)).map((example) => ({
		...example,
		title: `docs/${page}.md: ${example.title}`,
		id: `${page}-${example.id}`,
	}));
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
