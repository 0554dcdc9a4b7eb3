/** What a customer writes about an order. */
export interface Ticket {
  readonly orderId: string;
  readonly text: string;
}
