#include "filetree/ordered_walk.hpp"

#include <atomic>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "text.hpp"

namespace pwalk_bindings {
namespace {

using filetree::EntryType;
using filetree::FileSystem;
using filetree::Listing;
using filetree::OrderedWalk;
using filetree::OrderedWalkOptions;
using Step = filetree::OrderedWalk::Step;

// os.walk over the core's OrderedWalk: makes the objects, and reads what the caller has made of
// dirnames.
class PythonWalk final : public filetree::WalkCaller {
   public:
    PythonWalk(nb::object top, std::shared_ptr<FileSystem> fs, const OrderedWalkOptions& options)
        : top_(std::move(top)),
          as_bytes_(PyBytes_Check(top_.ptr()) != 0),
          options_(options),
          join_(nb::module_::import_("os.path").attr("join")),
          walk_(std::make_unique<OrderedWalk>(std::move(fs), encode_path(top_), options, *this)) {}

    ~PythonWalk() { end(); }
    PythonWalk(const PythonWalk&) = delete;
    PythonWalk& operator=(const PythonWalk&) = delete;

    // (dirpath, dirnames, filenames); an OSError where a directory could not be listed; None at
    // the end.
    nb::object next() {
        const Exclusive exclusive(*this);
        switch (walk_->next()) {
            case Step::directory:
                return directory();
            case Step::failure:
                return failure();
            case Step::end:
                break;
        }
        return nb::none();
    }

    void close() {
        const Exclusive exclusive(*this);
        end();
    }

    [[nodiscard]] nb::dict counts() const {
        const OrderedWalk::Counts counts = walk_->counts();
        nb::dict out;
        out["reused"] = counts.reused;
        out["reread"] = counts.reread;
        out["direct"] = counts.direct;
        out["threads_peak"] = counts.threads_peak;
        return out;
    }

    [[nodiscard]] bool wait_idle(double timeout) {
        const Unlocked unlocked;
        return walk_->wait_idle(to_duration(timeout));
    }

    std::optional<std::vector<std::string>> edited(const Listing& names) override {
        const nb::list& list = frames_.back().dirnames;
        if (is_as_listed(list, names)) return std::nullopt;
        std::vector<std::string> wanted;
        for (std::size_t i = 0; i < list.size(); ++i) {
            const nb::object item = list[i];
            const std::string_view plain = plain_characters(item, as_bytes_);
            wanted.push_back(plain.empty() ? encode_name(item) : std::string(plain));
        }
        return wanted;
    }

    bool child(std::size_t depth, std::size_t index, const std::string& parent,
               std::string& path) override {
        Frame& frame = frames_[depth];
        if (index >= frame.dirnames.size()) return false;
        const nb::object item = frame.dirnames[index];
        const std::string_view name = plain_characters(item, as_bytes_);
        const std::string_view above = plain_characters(frame.path, as_bytes_);
        if (name.empty() || above.empty() || std::memchr(name.data(), 0, name.size()) != nullptr) {
            child_ = join_(frame.path, item);
            path = options_.early_link_checks ? encode_path_or_none(child_) : encode_path(child_);
        } else {
            filetree::join_path(path, parent, name);
            child_ = to_text(path, as_bytes_);
        }
        // With early checks all children are made before the first is entered.
        if (options_.early_link_checks) frame.children.push_back(child_);
        return true;
    }

    void refuse(std::size_t depth, std::size_t index) override {
        (void)encode_path(frames_[depth].children[index]);
    }

    void unlocked(const std::function<void()>& work) override {
        const Unlocked unlocked;
        work();
    }

    void waiting() override { check_signals(); }

   private:
    // Nothing for what no system would take: os.walk raises only when it is due.
    static std::string encode_path_or_none(nb::handle path) {
        try {
            return encode_path(path);
        } catch (const nb::python_error& error) {
            if (!error.matches(PyExc_ValueError)) throw;
            return {};
        }
    }

    // One thread at a time, as for a generator; the GIL, which is given back meanwhile, does not
    // see to it.
    class Exclusive {
       public:
        explicit Exclusive(PythonWalk& walk) : walk_(walk) {
            if (walk_.in_use_.exchange(true)) throw nb::value_error("the walk is in use already");
        }
        ~Exclusive() { walk_.in_use_ = false; }
        Exclusive(const Exclusive&) = delete;
        Exclusive& operator=(const Exclusive&) = delete;

       private:
        PythonWalk& walk_;
    };

    // A directory handed over whose children are still to come.
    struct Frame {
        nb::object path;
        nb::list dirnames;
        std::vector<nb::object> children;
    };

    void end() noexcept {
        if (!walk_) return;
        const Unlocked unlocked;
        walk_.reset();
    }

    nb::object directory() {
        const Listing& names = walk_->names();
        std::size_t directories = 0;
        for (std::size_t i = 0; i < names.size(); ++i) {
            if (names.type(i) == EntryType::directory) ++directories;
        }
        const nb::list dirnames = new_list(directories);
        const nb::list filenames = new_list(names.size() - directories);
        Py_ssize_t directory = 0;
        Py_ssize_t other = 0;
        for (std::size_t i = 0; i < names.size(); ++i) {
            PyObject* name = to_text(names.name(i), as_bytes_).release().ptr();
            if (names.type(i) == EntryType::directory) {
                PyList_SET_ITEM(dirnames.ptr(), directory++, name);
            } else {
                PyList_SET_ITEM(filenames.ptr(), other++, name);
            }
        }
        nb::object path = path_object();
        nb::object tuple = nb::make_tuple(path, dirnames, filenames);
        if (options_.topdown) {
            frames_.resize(walk_->depth());
            frames_.push_back({std::move(path), dirnames, {}});
        }
        return tuple;
    }

    nb::object failure() {
        const nb::object path = path_object();
        return nb::borrow<nb::object>(PyExc_OSError)(walk_->error(), std::strerror(walk_->error()),
                                                     path);
    }

    // The path that the walk came to, as os.walk would have made it.
    nb::object path_object() {
        if (walk_->depth() == 0) return top_;
        if (!options_.topdown) return to_text(walk_->path(), as_bytes_);
        if (!options_.early_link_checks) return child_;
        return frames_[walk_->depth() - 1].children[walk_->child_index()];
    }

    [[nodiscard]] bool is_as_listed(const nb::list& list, const Listing& names) const {
        std::size_t next = 0;
        for (std::size_t i = 0; i < names.size(); ++i) {
            if (names.type(i) != EntryType::directory) continue;
            if (next >= list.size()) return false;
            const nb::object item = list[next++];
            if (plain_characters(item, as_bytes_) == names.name(i)) continue;
            if (!item.equal(to_text(names.name(i), as_bytes_))) return false;
        }
        return next == list.size();
    }

    static nb::list new_list(std::size_t size) {
        PyObject* list = PyList_New(static_cast<Py_ssize_t>(size));
        if (list == nullptr) throw nb::python_error();
        return nb::steal<nb::list>(list);
    }

    const nb::object top_;
    const bool as_bytes_;
    const OrderedWalkOptions options_;
    const nb::object join_;
    std::vector<Frame> frames_;  // top-down
    nb::object child_;           // made last
    std::unique_ptr<OrderedWalk> walk_;
    std::atomic<bool> in_use_ = false;
};

}  // namespace

void bind_ordered_walk(nb::module_& module) {
    nb::class_<PythonWalk>(module, "OrderedWalk")
        .def(
            "__init__",
            [](PythonWalk* self, nb::object top, const FileSystemHandle& handle, bool topdown,
               bool followlinks, bool ignore_snapshots, unsigned max_threads,
               bool early_link_checks, double settling_time, std::size_t window_bytes,
               std::size_t window_directories) {
                OrderedWalkOptions options;
                options.topdown = topdown;
                options.followlinks = followlinks;
                options.ignore_snapshots = ignore_snapshots;
                options.max_threads = max_threads;
                options.early_link_checks = early_link_checks;
                if (settling_time >= 0) options.settling_time = to_duration(settling_time);
                if (window_bytes > 0) options.window_bytes = window_bytes;
                if (window_directories > 0) options.window_directories = window_directories;
                new (self) PythonWalk(std::move(top), handle.fs, options);
            },
            nb::arg("top"), nb::arg("fs"), nb::kw_only(), nb::arg("topdown"),
            nb::arg("followlinks"), nb::arg("ignore_snapshots"), nb::arg("max_threads"),
            nb::arg("early_link_checks"), nb::arg("settling_time") = -1.0,
            nb::arg("window_bytes") = 0, nb::arg("window_directories") = 0)
        .def("next", &PythonWalk::next)
        .def("close", &PythonWalk::close)
        .def_prop_ro("counts", &PythonWalk::counts)
        .def("wait_idle", &PythonWalk::wait_idle, nb::arg("timeout"));
}

}  // namespace pwalk_bindings
