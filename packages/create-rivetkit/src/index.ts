/** `create-rivetkit` as a library; the command is `npm create rivetkit@latest`. */
export { CreateError } from "./create-error.ts";
export { type CreatedProject, type CreateOptions, createProject } from "./create-project.ts";
export {
	isPackageManager,
	PACKAGE_MANAGERS,
	type PackageManager,
} from "./package-manager.ts";
export { readTemplates, type Template } from "./templates.ts";
