import { emptiedDatabase } from "../../../../../tests/support/postgres.ts";
import { standOnNodes } from "../../helpers/engine-apart.ts";

standOnNodes(2, emptiedDatabase);
