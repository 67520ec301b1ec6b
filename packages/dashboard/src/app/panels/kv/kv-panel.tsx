import type { KvEntry } from "@rivetkit/protocol/inspector/answers";
import { KeyRound } from "lucide-react";
import { useState } from "react";
import { Badge } from "../../ui/badge.tsx";
import { Disclosure } from "../../ui/disclosure.tsx";
import { TextInput } from "../../ui/field.tsx";
import { Empty, Failure, Loading } from "../../ui/notice.tsx";
import { Panel } from "../../ui/panel.tsx";
import { bytesText } from "../../ui/size.ts";
import { VirtualList } from "../../ui/virtual-list.tsx";
import { InlineValue } from "../../value-view/scalar.tsx";
import { printValue } from "../../values/print.ts";
import type { PanelProps } from "../panel.types.ts";
import { usePages } from "../use-pages.ts";
import { keyText } from "./key-text.ts";
import "./kv.css";

const PAGE = 200;

/** The entries of `c.kv` in the order of their keys. */
export function KvPanel({ actorId }: PanelProps) {
	const [prefix, setPrefix] = useState("");
	const { list, goOn } = usePages(
		actorId,
		["kv", prefix],
		null as string | null,
		(inspector, after, signal) => inspector.kv({ prefix, after, limit: PAGE }, signal),
	);
	const entries = list.data?.pages.flatMap((page) => page.entries) ?? [];
	return (
		<Panel
			title="Key/value entries"
			note={list.isSuccess && `${entries.length}${list.hasNextPage ? "+" : ""}`}
			tools={
				<TextInput
					type="search"
					className="mono"
					aria-label="Keys that begin with"
					placeholder="Prefix"
					value={prefix}
					onChange={({ target }) => setPrefix(target.value)}
				/>
			}
		>
			{goOn.error !== null && <Failure error={goOn.error} onRetry={goOn.again} />}
			{list.isPending && <Loading what="entries" />}
			{list.isSuccess && entries.length === 0 && (
				<Empty
					title={prefix === "" ? "There are no entries" : "No key begins so"}
					icon={<KeyRound />}
				>
					What the actor writes with <code>c.kv.put</code> appears here.
				</Empty>
			)}
			{entries.length > 0 && (
				<VirtualList
					items={entries}
					label="Entries"
					keyOf={({ key, keyBytes }) =>
						keyBytes ? `bytes ${printValue(keyBytes)}` : `text ${key}`
					}
					rowHeight={39}
					onEnd={goOn.next}
				>
					{(entry) => <EntryRow entry={entry} />}
				</VirtualList>
			)}
		</Panel>
	);
}

function EntryRow({ entry }: { entry: KvEntry }) {
	const { value, type, size } = entry;
	const key = keyText(entry);
	return (
		<Disclosure
			label={`entry ${key}`}
			summary={
				<>
					<code className="kv-key truncate">{key}</code>
					<Badge>{type}</Badge>
					<span className="kv-value truncate">
						<InlineValue value={value} charsMax={110} />
					</span>
					<span className="muted nowrap">{bytesText(size)}</span>
				</>
			}
		>
			{() => (
				<pre className="kv-whole">{typeof value === "string" ? value : printValue(value)}</pre>
			)}
		</Disclosure>
	);
}
