"""The mathematics of the fitted methods: arrays in, arrays out; what is fitted on the host ends as arrays."""
