"""Files and samples: from a data set to what the network is fed."""
