"""hw0: softmax regression and a network of two layers, by hand."""
