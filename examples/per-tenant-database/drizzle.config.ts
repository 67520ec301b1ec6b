import { defineConfig } from "rivetkit/db/drizzle";

// For `npx drizzle-kit generate`, after a change of the schema.
export default defineConfig({ schema: "./src/schema.ts", out: "./drizzle" });
