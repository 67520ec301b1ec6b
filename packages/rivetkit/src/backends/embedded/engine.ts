/** What the rest of the package needs of the engine by name; only backends know the engine itself. */
export { assertSupportedRuntime, createMemoryStore, type ListeningServer } from "@rivetkit/engine";
