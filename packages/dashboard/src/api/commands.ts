import { useMutation, useQueryClient } from "@tanstack/react-query";

/** Something that is told to the server. Whatever comes of it, what is shown is asked for anew. */
export function useCommand<T, R = unknown>(tell: (told: T) => Promise<R>) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: tell,
    onSettled: () => queries.invalidateQueries({ queryKey: ["live"] }),
  });
}
