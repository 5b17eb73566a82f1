"""The networks that hear speakers: run by ONNX Runtime on the CPU, by torch on a GPU."""
