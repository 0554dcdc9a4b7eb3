/** A Server-Sent Event, as its reader gets it. */
export interface Told {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: string;
}

/** The events of a response, as the HTML standard reads them: comments are none. */
export async function* eventsOf(response: Response): AsyncGenerator<Told> {
  if (!response.body) throw new Error(`no stream: ${response.status}`);
  let text = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const told = eventIn(text.slice(0, end));
      text = text.slice(end + 2);
      if (told) yield told;
    }
  }
}

function eventIn(block: string): Told | undefined {
  let event = "message";
  let id: string | undefined;
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const [, name, value = ""] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (name === "event") event = value;
    if (name === "id") id = value;
    if (name === "data") data.push(value);
  }
  return data.length === 0 ? undefined : { event, id, data: data.join("\n") };
}
