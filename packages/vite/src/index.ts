/** `@rivetkit/vite`: the actors of a project in its Vite dev server. */
export { type RivetKitPluginOptions, rivetkit } from "./plugin.ts";
