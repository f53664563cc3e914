#include "filetree/pwal.hpp"

#include "arrow_stream.hpp"
#include "filetree/error.hpp"

namespace pwalk_bindings {
namespace {

using filetree::PwalReader;
using filetree::TextOptions;

// A PWAL file as Python sees it.
class PythonPwal : public BatchSource {
   public:
    explicit PythonPwal(const std::string& path) : file_(std::make_unique<PwalReader>(path)) {}
    ~PythonPwal() override {
        // Left as the fork left it, in the midst of being read.
        if (!begin_closing()) (void)file_.release();
    }

    void close() {
        const Unlocked unlocked;
        const auto lock = begin_closing();
        if (lock) file_->close();
    }

    void write_csv(int fd, const nb::bytes& name, const TextOptions& options) {
        if (!reads_through(this)) throw nb::value_error("the file has been consumed");
        const std::string file_name = to_string(name);
        const Unlocked unlocked;
        const auto lock = begin_reading();
        file_->write_csv(fd, file_name, options, [] {
            check_signals();
            return true;
        });
    }

    [[nodiscard]] const PwalReader& file() const noexcept { return *file_; }

   private:
    Next next_batch(ArrowArray& out, std::shared_ptr<const filetree::Mark>& /*mark*/,
                    std::chrono::nanoseconds /*timeout*/) override {
        return file_->next(out) ? Next::batch : Next::end;
    }

    std::unique_ptr<PwalReader> file_;
};

}  // namespace

void bind_pwal(nb::module_& module) {
    nb::class_<PythonPwal> bound(module, "PwalReader");
    bound
        .def(
            "__init__",
            [](PythonPwal* self, const nb::bytes& path) {
                const std::string name = to_string(path);
                const Unlocked unlocked;
                new (self) PythonPwal(name);
            },
            nb::arg("path"))
        .def("close", &PythonPwal::close)
        .def("write_csv", &PythonPwal::write_csv, nb::arg("fd"), nb::arg("name"),
             nb::arg("options"))
        .def_prop_ro("records", [](const PythonPwal& self) { return self.file().records(); })
        .def_prop_ro("torn", [](const PythonPwal& self) { return self.file().torn(); })
        .def_prop_ro("timestamp", [](const PythonPwal& self) { return self.file().timestamp(); })
        .def_prop_ro("clamped_times",
                     [](const PythonPwal& self) { return self.file().clamped_times(); });
    bind_batch_source(bound);
}

}  // namespace pwalk_bindings
