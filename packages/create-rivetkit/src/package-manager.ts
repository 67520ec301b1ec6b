/** What installs and runs a project. */
export type PackageManager = "npm" | "pnpm" | "yarn" | "bun";

export const PACKAGE_MANAGERS: readonly PackageManager[] = ["npm", "pnpm", "yarn", "bun"];

export function isPackageManager(text: string): text is PackageManager {
	return (PACKAGE_MANAGERS as readonly string[]).includes(text);
}

/** The one that runs this process, as it says itself in `npm_config_user_agent`; npm when none does. */
export function runningPackageManager(userAgent: string | undefined): PackageManager {
	const name = userAgent?.split("/", 1)[0] ?? "";
	return isPackageManager(name) ? name : "npm";
}

/** How a script of package.json is run: `npm run`, `pnpm`, `yarn`, `bun run`. */
export function runCommand(packageManager: PackageManager): string {
	switch (packageManager) {
		case "npm":
			return "npm run";
		case "bun":
			// `bun test` is another test runner.
			return "bun run";
		case "pnpm":
		case "yarn":
			return packageManager;
	}
}
