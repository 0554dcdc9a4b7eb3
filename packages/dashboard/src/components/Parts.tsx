import type { Part } from "../diff/laid-out.ts";

interface PartsProps {
  readonly title: string;
  readonly parts: readonly Part[];
}

/** Parts in which two values differ: where, and how. */
export const Parts = ({ title, parts }: PartsProps) =>
  parts.length === 0 ? null : (
    <section className="parts">
      {title === "" ? null : <h3>{title}</h3>}
      <dl>
        {parts.map(({ path, lines }) => (
          <div key={path}>
            <dt>{path}</dt>
            <dd>
              {numbered(lines).map(({ n, line }) => (
                <span
                  key={n}
                  className={line.startsWith("-") ? "gone" : line.startsWith("+") ? "come" : undefined}
                >
                  {line}
                </span>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );

const numbered = (lines: readonly string[]) => lines.map((line, n) => ({ n, line }));
