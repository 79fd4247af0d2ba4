//! What buyers write: invented feedback in several languages.

/// With one or two stars.
pub(super) const NEGATIVE: [&str; 28] = [
    "Arrived two weeks late and the box was crushed.",
    "Wrong item sent. Seller never answered my messages.",
    "Item not as described, the colour is completely different.",
    "Still waiting for my refund after 20 days!!",
    "Package says delivered, but nothing was in my mailbox.",
    "Used item sold as new, scratches all over the display.",
    "Half of the screws were missing, could not assemble it.",
    "The charger stopped working after three days.",
    "Seller asked me to remove my feedback before refunding. \"No thanks.\"",
    "Terrible packaging, glass was broken in a thousand pieces.",
    "Never arrived. Tracking number does not exist.",
    "Ordered a size L, got an S, return label costs more than the shirt.",
    "Lieferung kam nie an, Verkäufer reagiert nicht.",
    "Falscher Artikel geliefert und die Rücksendung soll ich selbst zahlen.",
    "Ware war gebraucht und schmutzig, obwohl als neu beschrieben.",
    "Drei Wochen gewartet, dann wurde einfach storniert. Nie wieder!",
    "Verpackung völlig ungenügend, Vase zerbrochen.",
    "Colis jamais reçu, le vendeur ne répond pas à mes messages.",
    "Produit défectueux, remboursement refusé. À fuir.",
    "La couleur ne correspond pas du tout à la photo.",
    "Emballage déchiré et il manquait la moitié des pièces.",
    "Pacco mai arrivato, nessuna risposta dal venditore.",
    "Oggetto rotto e confezione già aperta. Pessimo.",
    "Taglia sbagliata, il reso è a mie spese: deluso.",
    "Nunca llegó el pedido y no contestan.",
    "El producto llegó roto y sin instrucciones.",
    "Paczka uszkodzona, sprzedawca nie odpowiada.",
    "商品が届きません。連絡もありません。",
];

/// With three to five stars.
pub(super) const POSITIVE: [&str; 12] = [
    "Fast delivery, exactly as described.",
    "Great seller, friendly answer within an hour.",
    "All good, would buy again.",
    "Good quality for the price.",
    "Schnelle Lieferung, alles bestens!",
    "Gerne wieder, gut verpackt.",
    "Livraison rapide, très satisfait.",
    "Conforme à la description, merci.",
    "Tutto perfetto, consigliato.",
    "Spedizione veloce, ottimo prodotto.",
    "Todo correcto, muy buen vendedor.",
    "Polecam, szybka wysyłka.",
];
