import { fileURLToPath } from "node:url";

/**
 * Absolute folder of the dashboard's files: `index.html` and what it loads. They are static, and work at any
 * address; a page that is served below a server of RivetKit talks to that server. In a checkout the folder is
 * there after a build.
 */
export function dashboardFolder(): string {
	const here = import.meta.url;
	return fileURLToPath(new URL(here.endsWith(".ts") ? "../dist/app" : "./app", here));
}
