import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Workspace } from "./workspaces.ts";

/** A package with this file is a web page, too, which is built into {@link PAGE_FOLDER} of its dist/. */
export const PAGE_CONFIG = "vite.config.ts";
export const PAGE_FOLDER = "app";

export function hasPage({ dir }: Workspace): boolean {
	return existsSync(join(dir, PAGE_CONFIG));
}
