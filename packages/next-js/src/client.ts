/** `@rivetkit/next-js/client`: the React hooks, for client components. */
export * from "@rivetkit/react";
