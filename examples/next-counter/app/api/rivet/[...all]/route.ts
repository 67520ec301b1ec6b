import { toNextHandler } from "@rivetkit/next-js";
import { registry } from "../../../../src/actors.ts";

export const { GET, POST, PUT, DELETE, PATCH, HEAD, OPTIONS } = toNextHandler(registry);
