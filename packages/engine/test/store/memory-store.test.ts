import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import { storeConformance } from "./conformance.ts";

storeConformance("memory", async (options) => createMemoryStore(options));
