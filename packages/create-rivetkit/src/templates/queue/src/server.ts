import { registry } from "./actors.ts";

await registry.listen();
