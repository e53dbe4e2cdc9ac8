# Names that other projects use for the two commands of this one.
.PHONY: test cluster-smoke
test:
	./test
cluster-smoke:
	./cluster fresh-smoke
