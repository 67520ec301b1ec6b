import { PACKAGE_MANAGERS } from "./package-manager.ts";
import type { Template } from "./templates.ts";

export function helpText(templates: readonly Template[]): string {
	const width = Math.max(...templates.map(({ name }) => name.length));
	const rows = templates.map(({ name, hint }) => `  ${name.padEnd(width + 2)}${hint}`);
	return `Starts a RivetKit project: TypeScript, with tests that pass.

  npm create rivetkit@latest [folder] -- [options]

Options
  -t, --template NAME   one of the templates below
      --pm NAME         ${PACKAGE_MANAGERS.join(", ")}; default: the one that runs this
      --install         install the packages without asking
      --no-install      do not install them
  -y, --yes             ask nothing: rivetkit-app, hello-world, and packages are installed
  -h, --help            this text
  -v, --version         the version of this package

Templates
${rows.join("\n")}
`;
}
