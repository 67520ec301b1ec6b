/** What is made when nothing else is said. */
export const DEFAULTS = { directory: "rivetkit-app", template: "hello-world" } as const;
