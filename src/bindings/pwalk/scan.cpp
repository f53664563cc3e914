#include "arrow_stream.hpp"

namespace pwalk_bindings {
namespace {

using filetree::ReportOptions;
using filetree::Scan;

// A scan as Python sees it.
class PythonScan : public Scan, public BatchSource {
   public:
    using Scan::Scan;
    // The workers are waited for, at most a second.
    ~PythonScan() override {
        const Unlocked unlocked;
        close();
    }
    PythonScan(const PythonScan&) = delete;
    PythonScan& operator=(const PythonScan&) = delete;

   private:
    Scan::Next next_batch(ArrowArray& out, std::shared_ptr<const filetree::Mark>& mark,
                          std::chrono::nanoseconds timeout) override {
        return Scan::next(out, timeout, &mark);
    }
};

}  // namespace

void bind_scan(nb::module_& module) {
    nb::class_<PythonScan, filetree::Report> bound(module, "Scan");
    bound.def(
        "__init__",
        [](PythonScan* self, const nb::bytes& top, const ReportOptions& options,
           const FileSystemHandle& handle, SharedCheckpoint* checkpoint) {
            new (self) PythonScan(handle.fs, to_string(top), options, shared(checkpoint));
        },
        nb::arg("top"), nb::arg("options"), nb::arg("fs"), nb::arg("checkpoint") = nb::none());
    bind_batch_source(bound);
}

}  // namespace pwalk_bindings
