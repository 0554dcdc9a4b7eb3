import { GO } from "../keyboard.ts";
import { Dialog } from "../ui/Dialog.tsx";

export function Keys({ open, close }: { readonly open: boolean; readonly close: () => void }) {
  return (
    <Dialog open={open} close={close} title="Keys">
      <dl className="facts">
        <Key keys={["/"]}>search</Key>
        <Key keys={["j", "k"]}>next row, row before</Key>
        <Key keys={["Enter"]}>open the row</Key>
        {Object.entries(GO).map(([key, { name }]) => (
          <Key key={key} keys={["g", key]}>
            {name}
          </Key>
        ))}
        <Key keys={["?"]}>these keys</Key>
        <Key keys={["Esc"]}>close</Key>
      </dl>
    </Dialog>
  );
}

function Key({ keys, children }: { readonly keys: readonly string[]; readonly children: string }) {
  return (
    <>
      <dt>
        {keys.map((key) => (
          <kbd key={key}>{key}</kbd>
        ))}
      </dt>
      <dd>{children}</dd>
    </>
  );
}
