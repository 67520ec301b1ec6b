import { basket } from "./basket.ts";
import { catalogue } from "./catalogue.ts";
import { depot } from "./depot.ts";
import { order } from "./order.ts";

export const actors = { basket, depot, catalogue, order };
