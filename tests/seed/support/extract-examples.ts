/** One TypeScript block of the guide. */
export interface Block {
	/** Line of the opening fence, counted from 1. */
	readonly line: number;
	/** The headings above it, outermost first. */
	readonly headings: readonly string[];
	/** Name the guide gives the file, or `main.ts`. */
	readonly file: string;
	readonly code: string;
}

/** Blocks that belong together, as files of one folder. */
export interface Example {
	readonly heading: string;
	/** `Heading (line 12)`. */
	readonly title: string;
	/** Folder name. */
	readonly id: string;
	readonly blocks: readonly Block[];
	/** What the blocks import from each other but the section does not have, taken from further up. */
	readonly borrowed: readonly Block[];
}

/**
 * The TypeScript blocks of a Markdown text. A file name stands behind the language, or in bold on the
 * paragraph before the block.
 */
export function extractBlocks(markdown: string): Block[] {
	const blocks: Block[] = [];
	const headings: string[] = [];
	let named: string | undefined;
	let open: { line: number; info: string; code: string[] } | undefined;
	for (const [index, text] of markdown.split(/\r?\n/).entries()) {
		if (open) {
			if (/^```\s*$/.test(text)) {
				if (/^(ts|tsx|typescript)\b/.test(open.info)) {
					blocks.push({
						line: open.line,
						headings: headings.filter((heading) => heading !== undefined),
						file: /\s([\w-]+\.tsx?)\b/.exec(open.info)?.[1] ?? named ?? "main.ts",
						code: `${open.code.join("\n")}\n`,
					});
				}
				open = undefined;
				named = undefined;
			} else open.code.push(text);
			continue;
		}
		const fence = /^```(.*)$/.exec(text);
		const heading = /^(#+) (.*)$/.exec(text);
		const bold = /^\*\*([\w-]+\.tsx?)\*\*$/.exec(text);
		if (fence) open = { line: index + 1, info: fence[1]!.trim(), code: [] };
		else if (heading) {
			headings.length = heading[1]!.length - 1;
			headings.push(heading[2]!);
			named = undefined;
		} else if (bold) named = bold[1];
	}
	return blocks;
}

/** Groups blocks: named files of one section belong together, every other block stands alone. */
export function groupExamples(blocks: readonly Block[]): Example[] {
	const examples: Example[] = [];
	const seen: Block[] = [];
	for (const block of blocks) {
		const last = examples.at(-1);
		const first = last?.blocks[0];
		const joins =
			first !== undefined &&
			block.file !== "main.ts" &&
			first.file !== "main.ts" &&
			first.headings.join("/") === block.headings.join("/") &&
			!last!.blocks.some(({ file }) => file === block.file);
		if (joins) {
			examples[examples.length - 1] = withBlock(last!, block, seen);
		} else {
			const heading = block.headings.at(-1) ?? "";
			const title = `${heading} (line ${block.line})`;
			const id = `${slug(heading)}-${block.line}`;
			examples.push(withBlock({ heading, title, id, blocks: [], borrowed: [] }, block, seen));
		}
		seen.push(block);
	}
	return examples;
}

function withBlock(example: Example, block: Block, above: readonly Block[]): Example {
	const blocks = [...example.blocks, block];
	const needed = new Set(blocks.flatMap(({ code }) => localImports(code)));
	const borrowed = [...needed]
		.filter((file) => !blocks.some((own) => own.file === file))
		.map((file) => above.findLast((other) => other.file === file))
		.filter((other) => other !== undefined);
	return { ...example, blocks, borrowed };
}

/** Files a block imports from its own folder. */
export function localImports(code: string): string[] {
	return [...code.matchAll(/from "\.\/([\w-]+)(?:\.[jt]s)?"/g)].map(([, name]) => `${name}.ts`);
}

function slug(text: string): string {
	return text
		.toLowerCase()
		.replace(/[^a-z0-9]+/g, "-")
		.replace(/^-|-$/g, "");
}
