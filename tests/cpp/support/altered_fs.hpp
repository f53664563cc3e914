#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "filetree/fs.hpp"

namespace filetree::testing {

// How an AlteredFileSystem differs from the one below it. What is empty alters nothing. Called from
// many threads at once.
struct Alterations {
    std::function<void(const std::string& path, Attributes&)> attributes;
    std::function<bool(const std::string& path)> dates_changes;
    // Of a directory: called at the end of its listing.
    std::function<void(const std::string& path, Listing&)> names;
};

class AlteredDirectory final : public Directory {
   public:
    AlteredDirectory(std::shared_ptr<const Alterations> how, std::shared_ptr<Directory> inner,
                     std::string path)
        : how_(std::move(how)), inner_(std::move(inner)), path_(std::move(path)) {}

    Result<bool> read(Listing& out, CallContext& context) override {
        const auto more = inner_->read(out, context);
        if (more.ok() && !more.value && how_->names) how_->names(path_, out);
        return more;
    }
    std::size_t stat(const Listing& names, std::size_t first, std::size_t last, StatMask mask,
                     StatResult* out, CallContext& context) override {
        return inner_->stat(names, first, last, mask, out, context);
    }
    Result<std::shared_ptr<Directory>> open(const char* name, CallContext& context) override {
        return inner_->open(name, context);
    }
    StatResult attributes(CallContext& context) override {
        StatResult result = inner_->attributes(context);
        if (how_->attributes) how_->attributes(path_, result.attributes);
        return result;
    }
    bool dates_changes(const Attributes& attributes, CallContext& context) override {
        if (how_->dates_changes) return how_->dates_changes(path_);
        return inner_->dates_changes(attributes, context);
    }

   private:
    std::shared_ptr<const Alterations> how_;
    std::shared_ptr<Directory> inner_;
    std::string path_;
};

// A decorator whose directories are other than they are; by path only.
class AlteredFileSystem final : public FileSystem {
   public:
    AlteredFileSystem(std::shared_ptr<FileSystem> inner, Alterations how)
        : inner_(std::move(inner)), how_(std::make_shared<const Alterations>(std::move(how))) {}

    Result<std::shared_ptr<Directory>> open(const std::string& path, CallContext& context,
                                            bool follow) override {
        auto opened = inner_->open(path, context, follow);
        if (!opened.ok()) return opened;
        return {std::make_shared<AlteredDirectory>(how_, std::move(opened.value), path), 0};
    }
    StatResult attributes(const std::string& path, bool follow, StatMask mask,
                          CallContext& context) override {
        StatResult result = inner_->attributes(path, follow, mask, context);
        if (result.error == 0 && how_->attributes) how_->attributes(path, result.attributes);
        return result;
    }
    [[nodiscard]] bool has_mounts_below(const std::string& path) const override {
        return inner_->has_mounts_below(path);
    }
    [[nodiscard]] std::size_t descriptor_budget() const override {
        return inner_->descriptor_budget();
    }

   private:
    std::shared_ptr<FileSystem> inner_;
    std::shared_ptr<const Alterations> how_;
};

inline std::shared_ptr<FileSystem> altered(std::shared_ptr<FileSystem> inner, Alterations how) {
    return std::make_shared<AlteredFileSystem>(std::move(inner), std::move(how));
}

// Directories that do not date their changes, as those of /proc.
inline std::shared_ptr<FileSystem> undated(std::shared_ptr<FileSystem> inner) {
    return altered(std::move(inner), {{}, [](const std::string&) { return false; }, {}});
}

// A file system that leaves all types to lstat.
inline std::shared_ptr<FileSystem> untyped(std::shared_ptr<FileSystem> inner) {
    return altered(std::move(inner), {{}, {}, [](const std::string&, Listing& names) {
                                          for (std::size_t i = 0; i < names.size(); ++i) {
                                              names.set_type(i, EntryType::unknown);
                                          }
                                      }});
}

}  // namespace filetree::testing
